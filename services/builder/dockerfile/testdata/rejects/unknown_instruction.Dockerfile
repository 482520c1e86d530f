FROM a

RUM echo
