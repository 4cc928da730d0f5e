"""Power: where, by token and layer, a model holds what decides a TRUE/FALSE question.

After figure 2 of "The Geometry of Truth" (Marks and Tegmark 2023): activations of a run on a
sentence in which a person exercises power (the source) are put into the run on a sentence in which
the person does not (the base), one layer and token at a time.
"""
