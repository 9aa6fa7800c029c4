"""Looking into a model: are its gradients right, and what do its numbers say."""
