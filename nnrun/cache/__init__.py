"""Keras's folder of downloaded files, shared with Keras but handled with more care.

Keras deletes a file whose hash is not the published one, and silently uses another folder where
this one cannot be written. Here no file of a person's is ever changed, and both are said.
"""
