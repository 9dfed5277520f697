# The path reaches the shell only as an environment variable: no character of it is ever read as shell code.

resource "terraform_data" "directory" {
  count = var.existing ? 0 : 1

  input            = { path = var.path, stack = var.stack, store = var.name }
  triggers_replace = [var.path]

  # A directory with something in it belongs to someone; an empty one may be left from a run that was cut short.
  provisioner "local-exec" {
    quiet       = true
    interpreter = ["/bin/sh", "-c"]
    environment = { STORE_PATH = self.input.path }
    command     = <<-SHELL
      set -eu
      umask 077
      if [ -L "$STORE_PATH" ]; then
        printf '%s\n' "refused: $STORE_PATH is a symbolic link; name the directory itself" >&2
        exit 1
      fi
      if [ -e "$STORE_PATH" ] && [ ! -d "$STORE_PATH" ]; then
        printf '%s\n' "refused: $STORE_PATH is there and is no directory" >&2
        exit 1
      fi
      if [ -d "$STORE_PATH" ]; then
        entries=$(ls -A "$STORE_PATH")
        if [ -n "$entries" ]; then
          printf '%s\n' "refused: $STORE_PATH is not empty; adopt it with existing = true, or name another" >&2
          exit 1
        fi
      fi
      mkdir -p "$STORE_PATH"
    SHELL
  }

  # rmdir, never rm -r: what is stored is only ever removed by its owner.
  provisioner "local-exec" {
    when        = destroy
    quiet       = true
    interpreter = ["/bin/sh", "-c"]
    environment = { STORE_PATH = self.input.path }
    command     = <<-SHELL
      set -eu
      if [ ! -e "$STORE_PATH" ] && [ ! -L "$STORE_PATH" ]; then
        exit 0
      fi
      rmdir "$STORE_PATH"
    SHELL
  }
}

# Apart from the directory, so that a lost directory or mode is repaired by replacing this one: a destroy
# provisioner on it would try to remove a directory in use.
resource "terraform_data" "permissions" {
  count = var.existing ? 0 : 1

  input            = { path = var.path, mode = "0700" }
  triggers_replace = [terraform_data.directory[0].id]

  provisioner "local-exec" {
    quiet       = true
    interpreter = ["/bin/sh", "-c"]
    environment = { STORE_PATH = self.input.path, STORE_MODE = self.input.mode }
    command     = <<-SHELL
      set -eu
      umask 077
      mkdir -p "$STORE_PATH"
      chmod "$STORE_MODE" "$STORE_PATH"
    SHELL
  }
}
