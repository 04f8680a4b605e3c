"""NVIDIA GameStream as Moonlight speaks it: layouts, parsers and builders."""
