// Java runs other programs by a helper of its own.
public class Fork {
    public static void main(String[] arguments) throws Exception {
        System.out.println("parent: nothing\nchild: nothing");
        Process shell = new ProcessBuilder("sh", "-c", "echo $((40 + 2))").start();
        System.out.print("shell: " + new String(shell.getInputStream().readAllBytes()));
        shell.waitFor();
    }
}
