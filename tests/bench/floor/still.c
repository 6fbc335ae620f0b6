// The program that the floor's containers run: ends at once, or with an argument waits for a
// signal, so that its memory can be read.
#include <unistd.h>

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) pause();
  return 0;
}
