# R forks by parallel's mclapply. Arguments: a library that has `ask`, and whether to ask the driver at all.
arguments <- commandArgs(trailingOnly = TRUE)
dyn.load(arguments[1])
ask <- function() if (arguments[2] == "cuda") .C("ask", answer = -1L)$answer else "nothing"
cat("parent:", ask(), "\n")
answer <- suppressWarnings(parallel::mclapply(1:2, function(number) ask(), mc.cores = 2))[[2]]
cat("child:", if (is.null(answer)) "died" else answer, "\n")
cat("shell:", system("echo $((40 + 2))", intern = TRUE), "\n")
