"""Which line of a backward pass is wrong: the files, in reading order.

rewrite       the source of a function, with a call of the probe in place of each operation
instrument    run functions with the probe in them
reach         the functions that forward and backward consist of
probe         carries out each operation as written, and puts it on the tape
recorder      the tape, the values that have names, and the limit on their size
tape          what is kept of an operation, and which calls are operations
shadow        a number for every element of every array, so that views and writes are followed
local         the derivatives of one operation: the complex step through it alone
trace         one forward and one backward, recorded, and the true gradient of every value in forward
quantities    the gradients that a line may compute: total, one use, sum of some uses
repair        the lines that could be wrong: those where other values would make all gradients right
judgement     which gradient each operation of backward computes, and from what
mistakes      backward passes with one mistake, from the tape of forward: which gives the user's gradients?
replay        carry out the recorded backward again, with one change
series        the values that could stand in a line
changes       what may be wrong with an operation: another value or another operand
corrections   the changes of a line that make every gradient right
suspect       the line that the simplest change makes right
words         gradients and mistakes in words
explain       the suspect and the lines of a report
lines         the objects that a report contains, and how they are printed
"""
