"""Which line of a backward pass is wrong: the files, in reading order.

rewrite       the source of a function, with a call of the probe in place of each operation
instrument    the functions that forward and backward consist of, run with the probe in them
local         which calls are operations, and the derivatives of one operation: the complex step through it alone
tape          what is kept: operations, values that have names, and a number for every element of every array
probe         carries out each operation as written, and puts it on the tape
trace         one forward and one backward, recorded, and the true gradient of every value in forward
quantities    the gradients that a line may compute: total, one use, sum of some uses
repair        the lines that could be wrong: those where other values would make all gradients right
judgement     which gradient each operation of backward computes, and from what
mistakes      backward passes with one mistake, from the tape of forward: which gives the user's gradients?
replay        carry out the recorded backward again, with one change
series        the values that could stand in a line
changes       what may be wrong with an operation: another value or another operand
corrections   the changes of a line that make every gradient right
place         what may be wrong at one place in the source, and at what cost
misplaced     right values in the wrong places
suspect       the line that the simplest change makes right
words         gradients and mistakes in words
explain       the suspect and the lines of a report
lines         the objects that a report contains, and how they are printed
"""
