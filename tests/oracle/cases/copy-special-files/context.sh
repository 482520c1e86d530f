mkdir things
mkfifo things/fifo
echo x > things/x
