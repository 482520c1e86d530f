mkdir -p t/d
echo x > t/d/x
mkfifo t/fifo
ln t/d/x t/hard
printf y > "t/$(printf 'n\351')"
tar --format=gnu -C t -cf odd.tar . 
