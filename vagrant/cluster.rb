# The cluster behind the Vagrantfile: its machines, and the steps on this host before and after each one comes up.
#
# Some providers start machines in parallel, in threads or processes. So everything here may run for several machines at
# the same time, and shared files are protected by a lock.
require "fileutils"
require "ipaddr"
require "shellwords"

module Sampan
  MASTER = "master"
  BUNDLE = "/tmp/sampan-bundle.tar"
  REGISTRY_PORT = 5000
  TOKEN_S = 3600
  # Exit code of `sampan` when the master does not answer.
  UNREACHABLE = 4
  # Seconds to wait for the master: its box may have to be downloaded or built, then it boots and installs packages.
  # BOOT_PATIENCE_S is for a machine that exists.
  MASTER_PATIENCE_S = 1800
  BOOT_PATIENCE_S = 900
  # Seconds that Vagrant waits for ssh after a boot, and for a halt, when the processor is emulated.
  EMULATED_PATIENCE_S = 900

  class Cluster
    attr_reader :memory, :libvirt_driver

    def initialize(directory)
      @directory = directory
      @dotfiles = ENV.fetch("VAGRANT_DOTFILE_PATH", File.join(directory, ".vagrant"))
      @kept = File.join(@dotfiles, "sampan")
      @subnet = IPAddr.new(ENV.fetch("SAMPAN_SUBNET", "192.168.56.0/24"))
      raise Failed, "SAMPAN_SUBNET is not a /24" unless @subnet.prefix == 24
      @memory = number("SAMPAN_MEMORY", 1536, 512..1_048_576)
      @libvirt_driver = ENV.fetch("SAMPAN_LIBVIRT_DRIVER", "kvm")
      raise Failed, "SAMPAN_LIBVIRT_DRIVER is neither kvm nor qemu" unless %w[kvm qemu].include?(@libvirt_driver)
      @nodes = number("SAMPAN_NODES", 2, 0..200)
      FileUtils.mkdir_p(@kept, mode: 0o700)
      # Vagrant checks that the file to copy exists before prepare() can make it. Touched again, it would look new.
      FileUtils.touch(bundle) unless ENV["SAMPAN_BUNDLE"] || File.exist?(bundle)
    end

    # The master, the requested nodes, and other nodes that exist.
    def names
      made = Dir.glob(File.join(@dotfiles, "machines", "node*", "*", "id"))
                .map { |path| path[%r{/node(\d+)/[^/]+/id\z}, 1].to_i }
      [MASTER] + (1..[@nodes, *made].max).map { |index| "node#{index}" }
    end

    # The master is .10, the first node .11.
    def address(name)
      (@subnet | (10 + name[/\d*\z/].to_i)).to_s
    end

    def registry
      "#{address(MASTER)}:#{REGISTRY_PORT}"
    end

    def box
      ENV.fetch("SAMPAN_BOX", "debian/bookworm64")
    end

    def image
      ENV.fetch("SAMPAN_BOX", "sampan/machine")
    end

    def bundle
      File.expand_path(ENV.fetch("SAMPAN_BUNDLE", File.join(@kept, "bundle.tar")))
    end

    def kubeconfig
      File.join(@directory, "kubeconfig")
    end

    # With these options a container is a host: it boots systemd and has its own Docker and network devices.
    def docker_arguments
      capabilities = %w[SYS_ADMIN NET_ADMIN NET_RAW SYS_MODULE SYS_PTRACE SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP
                        DAC_READ_SEARCH IPC_LOCK SYSLOG SYS_NICE]
      ["--memory=#{memory}m", "--cgroupns=private", "--stop-signal=SIGRTMIN+3",
       "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined",
       "--tmpfs=/run:exec", "--tmpfs=/tmp:exec,mode=1777", "--volume=/var/lib/docker",
       *capabilities.map { |name| "--cap-add=#{name}" }]
    end

    def message
      "The cluster is up. On this host:\n" \
        "  export KUBECONFIG=#{kubeconfig}\n" \
        "  kubectl get nodes -o wide\n" \
        "  vagrant ssh #{MASTER} -c 'sudo sampan status'"
    end

    # Runs before a machine comes up.
    def prepare(machine)
      provision_again(machine) unless complete?(machine)
      make_bundle(machine)
      make_image(machine) if machine.provider_name == :docker
    end

    # Runs after a machine has come up: the master provides the join command, and each machine joins. Idempotent.
    def finish(machine)
      publish(machine) if machine.name.to_s == MASTER
      join(machine)
      write(complete_file(machine), machine.id)
      fill_registry(machine) if machine.name.to_s == MASTER
    end

    # Runs after `destroy`, which the user may have declined.
    def forget(machine)
      return unless machine.state.id == :not_created
      FileUtils.rm_f(complete_file(machine))
      if machine.name.to_s == MASTER
        FileUtils.rm_rf([join_file, kubeconfig, *Dir.glob(gone_file("*"))])
      else
        FileUtils.touch(gone_file(machine.name))
        tell_gone(machine)
      end
    end

    private

    # Vagrant counts a machine as provisioned when provisioning has begun, even if it was interrupted.
    def provision_again(machine)
      FileUtils.rm_f(File.join(machine.data_dir, "action_provision"))
    end

    # Whether all steps for this very machine were once completed.
    def complete?(machine)
      File.exist?(complete_file(machine)) && File.read(complete_file(machine)) == machine.id
    end

    def complete_file(machine)
      File.join(@kept, "complete.#{machine.name}")
    end

    def make_bundle(machine)
      if ENV["SAMPAN_BUNDLE"]
        raise Failed, "SAMPAN_BUNDLE: #{bundle} is not a file that `sampan bundle` wrote" unless File.size?(bundle)
        return
      end
      locked do
        # Directories too: their time changes when a file in them is deleted.
        rooms = "{agent,cli,client,host,hull,lab,master,netrig,netstack,packaging,proto}"
        sources = Dir.glob(File.join(@directory, "..", rooms, "{,**/*}"))
        sources += Dir.glob(File.join(@directory, "..", "{requirements.lock,pyproject.toml}"))
        sources.reject! { |path| path.include?("__pycache__") }
        next if File.size?(bundle) && sources.all? { |path| File.mtime(path) <= File.mtime(bundle) }
        machine.ui.info("bundling this checkout")
        sampan("bundle", "--python", "3.11", bundle)
      end
    end

    def make_image(machine)
      return if ENV["SAMPAN_BOX"]
      locked do
        next if run("docker", "image", "inspect", image).exit_code.zero?
        machine.ui.info("building the image #{image}: a few minutes, once")
        recipe = sampan("lab", "dockerfile").stdout
        context = File.join(@kept, "box")
        FileUtils.mkdir_p(context)
        File.write(File.join(context, "Dockerfile"), recipe)
        must("docker", "build", "--tag", image, context)
      end
    end

    def publish(machine)
      write(kubeconfig, ask(machine, "sudo sampan kubeconfig"))
      command = ask(machine, token_command)
      locked { write(join_file, command) }
      tell_gone(machine)
    end

    # The examples' images are optional: without them Docker uses its usual registries.
    def fill_registry(machine)
      machine.ui.info("bringing the examples' images to the registry at #{registry}")
      done = run(command_file, "lab", "push", registry)
      return if done.exit_code.zero?
      machine.ui.warn("they are missing: #{done.stderr.strip.lines.last}; as root, later: sampan lab push #{registry}")
    end

    # Deletes the nodes of destroyed machines on the master. If the master is off, its next `up` does this.
    def tell_gone(machine)
      gone = Dir.glob(gone_file("*"))
      return if gone.empty? || !made?(MASTER)
      nodes = gone.map { |path| "node/#{File.extname(path).delete_prefix(".")}" }
      done = vagrant("ssh", MASTER, "--no-tty", "-c", "sudo sampan delete --ignore-not-found #{nodes.shelljoin}")
      return FileUtils.rm_f(gone) if done.exit_code.zero?
      machine.ui.warn("the master does not know yet that #{nodes.join(", ")} is gone: its next `up` deletes the node")
    end

    def gone_file(name)
      File.join(@kept, "gone.#{name}")
    end

    # A master that boots at the same time may not answer yet, or may still have nodes of destroyed machines.
    def join(machine)
      name = machine.name.to_s
      patiently(machine) do
        # A machine of the same name may have been destroyed while the master was off.
        tell_gone(machine) if File.exist?(gone_file(name))
        code = try_join(machine, name)
        next true if code.zero?
        next false if code == UNREACHABLE || File.exist?(gone_file(name))
        raise Failed, "#{name} did not become a node; the reason is above"
      end
    end

    # Runs `sampan join`, shows its output and returns its exit code. The token goes through standard input, because the
    # machine's log contains the arguments of sudo.
    def try_join(machine, name)
      words = join_command(machine).shellsplit
      place = words.index("--token") + 1
      token, words[place] = words[place], "-"
      words += ["--node-name", name, "--node-address", address(name)]
      command = "printf '%s\\n' #{token.shellescape} | sudo #{words.shelljoin} 2>&1"
      machine.communicate.execute(command, error_check: false) do |_, text|
        text.each_line { |line| machine.ui.detail(line.chomp) unless line.strip.empty? }
      end
    end

    # Repeats the block until it returns something true, or the master should be up. Ctrl-C ends the wait.
    def patiently(machine)
      began = Time.now
      stopped = announced = false
      Vagrant::Util::Busy.busy(-> { stopped = true }) do
        loop do
          result = yield
          return result if result
          raise Failed, "#{machine.name} is not joined: interrupted" if stopped
          patience = made?(MASTER) ? BOOT_PATIENCE_S : MASTER_PATIENCE_S
          raise Failed, "no master answers: run `vagrant up #{MASTER}` first" if Time.now - began > patience
          machine.ui.info("waiting for the master") unless announced
          announced = true
          sleep 0.5
        end
      end
    end

    # The join command, from the file that the master's machine left, while its token is valid.
    def join_command(machine)
      patiently(machine) { locked { fresh_join_command } }
    end

    # Nil if the master does not provide it now.
    def fresh_join_command
      return unless File.exist?(join_file)
      return File.read(join_file).strip if Time.now - File.mtime(join_file) < TOKEN_S / 2
      done = vagrant("ssh", MASTER, "--no-tty", "-c", token_command)
      return unless done.exit_code.zero?
      write(join_file, done.stdout)
      done.stdout.strip
    end

    def token_command
      "sudo sampan token create --ttl #{TOKEN_S}s"
    end

    def join_file
      File.join(@kept, "join")
    end

    def made?(name)
      !Dir.glob(File.join(@dotfiles, "machines", name, "*", "id")).empty?
    end

    # The output of a command on a machine.
    def ask(machine, command)
      output = +""
      machine.communicate.execute(command) { |kind, text| output << text if kind == :stdout }
      output
    end

    # Writes the file whole or not at all; only its owner can read it.
    def write(path, text)
      aside = "#{path}.#{Process.pid}"
      File.write(aside, text, perm: 0o600)
      File.rename(aside, path)
    end

    def locked
      File.open(File.join(@kept, "lock"), File::RDWR | File::CREAT, 0o600) do |file|
        file.flock(File::LOCK_EX)
        yield
      end
    end

    def sampan(*words)
      must(command_file, *words)
    end

    def command_file
      File.join(@directory, "..", "sampan")
    end

    def vagrant(*words)
      run("vagrant", *words)
    end

    def must(*command)
      done = run(*command)
      return done if done.exit_code.zero?
      raise Failed, "#{command.shelljoin}: #{done.stderr.strip.empty? ? done.stdout : done.stderr}"
    end

    def run(*command)
      Vagrant::Util::Subprocess.execute(*command, workdir: @directory)
    end

    def number(name, usual, allowed)
      value = Integer(ENV.fetch(name, usual), exception: false)
      allowed.include?(value) or raise Failed, "#{name} is not a number from #{allowed.min} to #{allowed.max}"
      value
    end
  end

  # An error that Vagrant shows without a stack trace.
  class Failed < Vagrant::Errors::VagrantError
    def initialize(message)
      @text = message
      super()
    end

    def error_message
      @text
    end
  end
end
