// A library with the file name of NVML's. It does nothing: that it is loaded is what the guard looks at.
void nvml_like(void) {}
