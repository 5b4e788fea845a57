"""How models come about: vectors that a replay left, training, promotion, and the demo's rehearsal."""
