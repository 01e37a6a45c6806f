"""The pipeline: the stages through which every write goes, from REST and from inside the process."""
