"""The course: each file is the solution of an exercise, from which the file that a student gets is made."""
