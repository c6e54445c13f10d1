"""Other toolkits on the same text: each in an environment of its own, driven by a script of ours that imports it.

`install` makes the environments, `corpus` the text, `systems` names who takes part and how each is set up. A
`drive_*` module runs inside one environment; `turns` is how it talks to the measuring process.
"""
