"""`make demo`: the main job on real media, then money, told step by step, each step checked."""
