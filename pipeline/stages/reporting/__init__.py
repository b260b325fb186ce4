"""Parts of the stage `report`: figures, removals, prompts, what was achieved."""
