"""The control plane: store, API, scheduler, controllers and the dispatcher to the nodes."""
