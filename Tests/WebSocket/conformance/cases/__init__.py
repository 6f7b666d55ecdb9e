"""The cases by group, numbered as in the list the Autobahn project has published; X is what that list leaves out."""

from . import closing, control, extra, fragmentation, framing, limits, texts


def all_cases(is_quick):
    groups = (framing.cases(), control.cases(), fragmentation.cases(), texts.cases(), closing.cases(),
              limits.cases(is_quick), extra.cases())
    cases = [case for group in groups for case in group]
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), "two cases have one name"
    return cases
