"""HTTP/1.1 for an ASGI application, in the event loop's own thread: no thread has to wake another one.

llhttp (of Node.js, by httptools) takes the bytes apart; here stands what it leaves to its caller: order,
limits, time, and the end of connections.
"""
