"""The commands of ``entrepot``, a module each: ``add_to`` describes it, ``run`` returns its exit code."""
