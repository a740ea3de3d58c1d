"""From what is heard to what to look for: rules, and language models that are asked (role ``translator``).

- :mod:`~zsavs.translation.rules`: tables, the default.
- :mod:`~zsavs.translation.agreement`: a query of what the wordings agree on.
- :mod:`~zsavs.translation.asked`: what every language model is asked, and what becomes of its reply.
- :mod:`~zsavs.translation.prompts`: the words of the question, and the cleaning of what goes into it.
- :mod:`~zsavs.translation.reply`: the form of a reply.
- :mod:`~zsavs.translation.reply_cache`: replies on disk, so that a run repeats without the model.
- :mod:`~zsavs.translation.chat`: an instruct model of transformers.
- :mod:`~zsavs.translation.endpoint`: a server that speaks OpenAI's protocol.
"""
