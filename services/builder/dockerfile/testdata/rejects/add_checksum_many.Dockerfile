FROM a
ADD --checksum=sha256:00 http://x/a http://x/b /d/
