"""How Apus bears bad treatment. `cases` says what is tried; `attacks` are the bad peers, `honest` the good one."""
