"""The frozen models, one file for each family, behind the verbs of :mod:`zsavs.protocols`.

An adapter is built from parts (``ClapEncoder(model, feature_extractor, tokenizer, card=card)``) or loaded from a
checkpoint (``ClapEncoder.load("laion/clap-htsat-unfused")``); both give the same object. No adapter imports another.

What adapters share:

- :mod:`~zsavs.models.adapter`: the class that adapters inherit, which loads a checkpoint.
- :mod:`~zsavs.models.runtime`: device, dtype, and one part of a model from a folder.
- :mod:`~zsavs.models.checkpoints`: a transformers model from a folder, without gaps, and its card.
- :mod:`~zsavs.models.weight_file`: a single file of weights, read without running anything in it.
- :mod:`~zsavs.models.native`: single files as their authors publish them, for the classes of transformers.
- :mod:`~zsavs.models.inputs`: checks of phrases, audio clips, images and settings.
- :mod:`~zsavs.models.batching`: many items through a model in batches that fit.
- :mod:`~zsavs.models.model_time`: the time that is spent inside the models.
- :mod:`~zsavs.models.device_copies`: tensors to a device and back.
- :mod:`~zsavs.models.outputs`: what a model returned, without NaN and as unit rows.
- :mod:`~zsavs.models.text_memo`: text embeddings computed once for each phrase.
- :mod:`~zsavs.models.audio_windows`: audio clips as windows, and a model's answers by clip again.
- :mod:`~zsavs.models.detection`: boxes and scores to proposals.
- :mod:`~zsavs.models.prompted_detection`: boxes by a detector that reads the image with a text, prompt by prompt.
- :mod:`~zsavs.models.prompts`: phrases to such texts.
- :mod:`~zsavs.models.pseudo_words`: text towers that read words given as vectors.
- :mod:`~zsavs.models.torch_compile`: torch.compile for the towers of a pipeline.
- :mod:`~zsavs.models.file_adapter`: the class that adapters of single-file networks inherit, without torch.
- :mod:`~zsavs.models.file_runtimes`: ONNX and LiteRT files as functions.
- :mod:`~zsavs.models.label_space`: embeddings spanned by a classifier's labels.
- :mod:`~zsavs.models.mask_logits`: from shares of a crop to the mask logits of a box.
- :mod:`~zsavs.models.prompted_masks`: masks for boxes and points, by SAM 2 and its relatives.
- :mod:`~zsavs.models.video_memory`: masks followed through frames by SAM 2 and its relatives.
- :mod:`~zsavs.models.sam2_files`: the checkpoints of SAM 2, of which two adapters are loaded.
- :mod:`~zsavs.models.edgetam_files`: the checkpoint of EdgeTAM, likewise.
- :mod:`~zsavs.models.sam3_files`: the checkpoint of SAM 3, of which three adapters are loaded.
- :mod:`~zsavs.models.sam3_vision`: the image encoder that these three share.

The adapters, and the files that carry their names in front:

- :mod:`~zsavs.models.chat`: an instruct model, asked in turns.
- :mod:`~zsavs.models.clap`: CLAP, audio and text.
- :mod:`~zsavs.models.clap_mel`: its log-mel spectrograms.
- :mod:`~zsavs.models.open_clip`: CLIP and its relatives, images and text.
- :mod:`~zsavs.models.open_clip_files`: the files that describe an open_clip model.
- :mod:`~zsavs.models.open_clip_architecture`: which model a file of open_clip's weights alone is of.
- :mod:`~zsavs.models.open_clip_text`: its text tower, without padding.
- :mod:`~zsavs.models.open_clip_tokens`: the features that an open_clip model's embedding is pooled from.
- :mod:`~zsavs.models.imagebind`: ImageBind, a joint space.
- :mod:`~zsavs.models.pe_av`: PE-AV, a joint space.
- :mod:`~zsavs.models.pe_audio`: PE-A-Frame, audio and text, 25 times a second.
- :mod:`~zsavs.models.pe_text`: the text tower of both.
- :mod:`~zsavs.models.ast`: AST, an audio tagger.
- :mod:`~zsavs.models.blip`: BLIP, an image captioner.
- :mod:`~zsavs.models.qwen_audio`: Qwen2-Audio as an audio captioner.
- :mod:`~zsavs.models.qwen_omni`: the thinkers of Qwen2.5-Omni and Qwen3-Omni, asked about an image with its audio.
- :mod:`~zsavs.models.whisper_captioner`: Whisper, an audio captioner.
- :mod:`~zsavs.models.grounding_dino`: Grounding DINO, a phrase detector.
- :mod:`~zsavs.models.grounding_dino_files`: a Grounding DINO from a folder, whichever of its two families it is of.
- :mod:`~zsavs.models.grounding_dino_prompts`: several phrases in one prompt, and the tokens of each.
- :mod:`~zsavs.models.omdet`: OmDet-Turbo, a phrase detector.
- :mod:`~zsavs.models.omdet_attention`: its attention by torch's own kernel.
- :mod:`~zsavs.models.omdet_files`: an OmDet-Turbo from a folder.
- :mod:`~zsavs.models.owlv2`: OWLv2, a phrase detector.
- :mod:`~zsavs.models.sam2`: SAM 2, a segmenter.
- :mod:`~zsavs.models.sam2_video`: SAM 2, a tracker.
- :mod:`~zsavs.models.edgetam`: EdgeTAM, a segmenter.
- :mod:`~zsavs.models.edgetam_video`: EdgeTAM, a tracker.
- :mod:`~zsavs.models.sam3`: SAM 3, a phrase detector that segments what it finds, and a segmenter.
- :mod:`~zsavs.models.sam3_video`: SAM 3, a tracker.
- :mod:`~zsavs.models.yamnet`: YAMNet, an audio tagger that says when.
- :mod:`~zsavs.models.yamnet_features`: its log-mel patches.
- :mod:`~zsavs.models.yolox`: YOLOX, a detector of COCO's classes.
- :mod:`~zsavs.models.deeplab`: DeepLab, a segmenter of VOC's classes.
- :mod:`~zsavs.models.u2net`: U2-Net, a segmenter by saliency.
"""
