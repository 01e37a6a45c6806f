"""The contract between master and agent: .proto files, their generated modules in `gen`, and `contract`."""
