"""From what is heard to what to look for: rules, and language models that are asked (roles ``translator``, ``omni``).

- :mod:`~zsavs.translation.rules`: tables, the default.
- :mod:`~zsavs.translation.agreement`: a query of what the wordings agree on.
- :mod:`~zsavs.translation.asked`: what every language model is asked, and what becomes of its reply.
- :mod:`~zsavs.translation.prompts`: the words of the question, and the cleaning of what goes into it.
- :mod:`~zsavs.translation.reply`: the form of a reply.
- :mod:`~zsavs.translation.reply_cache`: replies on disk, so that a run repeats without the model.
- :mod:`~zsavs.translation.chat`: an instruct model of transformers.
- :mod:`~zsavs.translation.endpoint`: a server that speaks OpenAI's protocol.
- :mod:`~zsavs.translation.omni`: models that hear and see at once, asked in words.
- :mod:`~zsavs.translation.qwen2_5_omni`, :mod:`~zsavs.translation.qwen3_omni`: two of them.
- :mod:`~zsavs.translation.assembled`: a captioner and a joint encoder behind the same verbs.
"""
