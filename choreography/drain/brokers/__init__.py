"""How each broker tells what it still has for every subscriber."""
