"""Verification: evidence that a region proposal is the source, and the selection of regions by it.

- :mod:`~zsavs.verification.clip_rescoring`: rescoring of regions by CLIP.
- :mod:`~zsavs.verification.joint_rescoring`: rescoring of regions in a joint space.
- :mod:`~zsavs.verification.second_opinion`: both, pooled.
- :mod:`~zsavs.verification.omni_judge`: judgement of regions by a model that hears and sees.
- :mod:`~zsavs.verification.pivot_box`: one region for each source.
- :mod:`~zsavs.verification.point_prompts`: points for segmenters, beside the boxes.
- :mod:`~zsavs.verification.competing_labels`: the labels that compete for a region, one for each meaning.
- :mod:`~zsavs.verification.region_embeddings`: embeddings of regions, each computed once.
- :mod:`~zsavs.verification.selection`: from evidence to selected regions.
"""
