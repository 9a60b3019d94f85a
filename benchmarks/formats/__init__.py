"""Data sets in the formats that their authors publish, as facts and questions that dysk reads."""
