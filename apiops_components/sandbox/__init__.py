"""A control plane on this machine, made of the real programs, without containers.

``programs``, ``plan``, ``certificates``, ``nodes`` and ``argocd`` say what it consists of and are pure; ``build``,
``processes``, ``kube`` and ``repository`` are the edges; ``control_plane`` and ``deploy`` put them together.
"""
