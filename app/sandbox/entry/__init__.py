"""What runs between the service and a program in a room: its supervisor, and what the kernel is told before it starts.

It stands alone: the bare interpreter starts it for every program, it imports the standard library and itself, and so it
is ready in milliseconds and has nothing of the service in it. It does not go on without what it was told to hold back.
"""
