"""Other ways to have a frozen model answer from facts that change, each written from its paper.

All speak with the same weights, tokenizer and greedy decoding as dysk, in the same process.
"""
