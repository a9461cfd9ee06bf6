/* The first process of every pod on the local Kubernetes: it does nothing until it is told to end. */
#include <signal.h>
#include <unistd.h>

static void end(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  signal(SIGINT, end);
  signal(SIGTERM, end);
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    pause();
  }
}
