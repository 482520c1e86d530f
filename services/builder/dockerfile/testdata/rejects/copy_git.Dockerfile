FROM a
COPY https://example.com/x.git /x
