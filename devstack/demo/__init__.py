"""`make demo`: the main job on real media, told step by step, each step checked."""
