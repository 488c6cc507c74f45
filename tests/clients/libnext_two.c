// The second of two libraries that define who_am_i; libnext_one is linked with it, so it comes after that one.
const char *who_am_i(void) { return "two"; }
