"""The scale study: one sample of questions, asked as the graph around its facts grows."""
