"""What a deployment tells its container by variables: NAME=VALUE, one a line, and a stand-in where a secret is named.

    variables MANIFEST
"""

import pathlib
import sys

import yaml

_SECRET = "a secret of this check, thirty-two bytes"


def main():
    deployment = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]:
        print(f"{each['name']}={each.get('value', _SECRET)}")


if __name__ == "__main__":
    main()
