// Some tests fork while their HTTP server has threads. The child takes the part of another process:
// it uses nothing that those threads could have locked, and its own threads are its first.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
