# Ruby's Process.fork. Arguments: a library that has `ask`, and whether to ask the driver at all.
require "fiddle"
pointer = Fiddle::Function.new(Fiddle.dlopen(ARGV[0])["ask"], [Fiddle::TYPE_VOIDP], Fiddle::TYPE_VOID)
ask = lambda do
  answer = [-1].pack("i")
  pointer.call(answer) if ARGV[1] == "cuda"
  ARGV[1] == "cuda" ? answer.unpack1("i") : "nothing"
end
puts "parent: #{ask.call}"
reader, writer = IO.pipe
Process.wait(fork { writer.puts ask.call })
writer.close
answer = reader.read.strip
puts "child: #{answer.empty? ? "died" : answer}"
puts "shell: #{`echo $((40 + 2))`}"
