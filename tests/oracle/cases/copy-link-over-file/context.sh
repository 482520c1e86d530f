mkdir clash
ln -s elsewhere clash/setuid
ln -s tree/a clash/hard1
