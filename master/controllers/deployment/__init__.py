"""The deployment controller: replaces the pods of a deployment step by step when its template changes."""
