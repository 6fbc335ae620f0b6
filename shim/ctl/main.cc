#include <iostream>

#include "shim/ctl/ctl.h"

int main(int argc, char** argv) { return bulkhead::ctl::Run(argc, argv, std::cout, std::cerr); }
