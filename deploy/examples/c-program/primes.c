// Prints how many primes are below its argument.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  const long limit = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
  if (limit < 1 || limit > 100000000) {
    fprintf(stderr, "usage: primes LIMIT   (1 to 100000000)\n");
    return 2;
  }
  char* composite = calloc(limit, 1);
  if (composite == NULL) {
    fprintf(stderr, "primes: not enough memory\n");
    return 1;
  }
  long count = 0;
  for (long n = 2; n < limit; ++n) {
    if (composite[n]) continue;
    ++count;
    for (long multiple = 2 * n; multiple < limit; multiple += n) composite[multiple] = 1;
  }
  free(composite);
  printf("%ld primes below %ld\n", count, limit);
  return 0;
}
