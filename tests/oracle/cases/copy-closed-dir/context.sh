mkdir closed
echo x > closed/a
mkdir closed/b
echo y > closed/b/c
chmod 000 closed/a
chmod 500 closed/b
chmod 555 closed
