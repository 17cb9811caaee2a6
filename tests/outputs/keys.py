"""What differs on purpose: here it is written down before a comparison with a checkout that is older.

`renamed` of CHANGES maps a command's name, or `*` for all, to old path -> new path of keys in its JSON summary:

    renamed={"coincidences": {"chance_pairs": "chance.pairs", "pairs_by_detectors[].name_a": "pairs_by_detectors[].a"}}

A path's parts are divided by points; `rows[]` stands for each item of a list, `rejected.*` for each value of an object.
None in place of a new path: the key is gone. Entries hold in their order, those of `*` first: a list or object that
gets another name does so in an entry of its own, before the entries on what it holds. The same map is applied to the
`summary` in the provenance of the files that the command writes; `provenance` is the name for the rest of that entry.

`added` maps the same names to paths of keys that are new: they are left out where the older checkout lacks them.
`rewritten` maps them to functions that make the new form of a summary out of the old one, after renaming; for more than
other names. `texts` are changes of what is printed: a pattern, what stands there now, and why.
"""

from tests.outputs.changes import Changes

CHANGES = Changes(
    renamed={},
    added={},
    rewritten={},
    texts=(),
)

NONE = Changes()
"""With `--exact`: nothing differs on purpose."""
