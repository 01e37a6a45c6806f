# What the Vagrantfile asks of a cluster: its machines, and what this host does before and after each comes up.
#
# Machines come up side by side where the provider can do that, so everything here may run at the same time for several
# machines, in threads or processes: what they share is behind a lock.
require "fileutils"
require "ipaddr"
require "shellwords"

module Sampan
  MASTER = "master"
  BUNDLE = "/tmp/sampan-bundle.tar"
  REGISTRY_PORT = 5000
  TOKEN_S = 3600
  # The exit code of `sampan` when the master does not answer.
  UNREACHABLE = 4
  # Until its machine is there, a box may have to be downloaded or built; then it boots and gets packages.
  MASTER_PATIENCE_S = 1800
  BOOT_PATIENCE_S = 900
  # What Vagrant waits for a machine's ssh, and for its end when it is told to halt, where the processor is emulated.
  EMULATED_PATIENCE_S = 900

  class Cluster
    attr_reader :memory, :libvirt_driver

    def initialize(directory)
      @directory = directory
      @dotfiles = ENV.fetch("VAGRANT_DOTFILE_PATH", File.join(directory, ".vagrant"))
      @kept = File.join(@dotfiles, "sampan")
      @subnet = IPAddr.new(ENV.fetch("SAMPAN_SUBNET", "192.168.56.0/24"))
      raise Failed, "SAMPAN_SUBNET is no /24" unless @subnet.prefix == 24
      @memory = number("SAMPAN_MEMORY", 1536, 512..1_048_576)
      @libvirt_driver = ENV.fetch("SAMPAN_LIBVIRT_DRIVER", "kvm")
      raise Failed, "SAMPAN_LIBVIRT_DRIVER is neither kvm nor qemu" unless %w[kvm qemu].include?(@libvirt_driver)
      @nodes = number("SAMPAN_NODES", 2, 0..200)
      FileUtils.mkdir_p(@kept, mode: 0o700)
      # Vagrant looks for what it shall copy before anything can have made it. (Touched again it would seem new.)
      FileUtils.touch(bundle) unless ENV["SAMPAN_BUNDLE"] || File.exist?(bundle)
    end

    # The master, the nodes that are asked for, and those that exist.
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

    # With these a container is a host: it boots systemd, and has a Docker and network devices of its own.
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

    # Before a machine comes up.
    def prepare(machine)
      provision_again(machine) unless complete?(machine)
      make_bundle(machine)
      make_image(machine) if machine.provider_name == :docker
    end

    # After a machine has come up: the master says how to join, and each joins. All may be done again and again.
    def finish(machine)
      publish(machine) if machine.name.to_s == MASTER
      join(machine)
      write(complete_file(machine), machine.id)
      fill_registry(machine) if machine.name.to_s == MASTER
    end

    # After `destroy`, which somebody may have declined.
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

    # Vagrant takes a machine for provisioned as soon as it has begun to provision it, interrupted or not.
    def provision_again(machine)
      FileUtils.rm_f(File.join(machine.data_dir, "action_provision"))
    end

    # Whether this very machine once came to the end of all that is done for it.
    def complete?(machine)
      File.exist?(complete_file(machine)) && File.read(complete_file(machine)) == machine.id
    end

    def complete_file(machine)
      File.join(@kept, "complete.#{machine.name}")
    end

    def make_bundle(machine)
      if ENV["SAMPAN_BUNDLE"]
        raise Failed, "SAMPAN_BUNDLE: #{bundle} is no file that `sampan bundle` wrote" unless File.size?(bundle)
        return
      end
      locked do
        # Directories too: their time tells that something in them went.
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

    # The examples' images are a help and no part of the cluster: without them Docker looks where it always does.
    def fill_registry(machine)
      machine.ui.info("bringing the examples' images to the registry at #{registry}")
      done = run(command_file, "lab", "push", registry)
      return if done.exit_code.zero?
      machine.ui.warn("not there: #{done.stderr.strip.lines.last}; later, as root: sampan lab push #{registry}")
    end

    # Tells the master which nodes' machines are gone. One that is away is told when it is back.
    def tell_gone(machine)
      gone = Dir.glob(gone_file("*"))
      return if gone.empty? || !made?(MASTER)
      nodes = gone.map { |path| "node/#{File.extname(path).delete_prefix(".")}" }
      done = vagrant("ssh", MASTER, "--no-tty", "-c", "sudo sampan delete --ignore-not-found #{nodes.shelljoin}")
      return FileUtils.rm_f(gone) if done.exit_code.zero?
      machine.ui.warn("the master does not know yet that #{nodes.join(", ")} is gone: it is told at its next `up`")
    end

    def gone_file(name)
      File.join(@kept, "gone.#{name}")
    end

    # A master that boots beside this machine may not answer yet, nor know which machines are gone.
    def join(machine)
      name = machine.name.to_s
      patiently(machine) do
        # Its name may be that of a machine that was destroyed while the master was off.
        tell_gone(machine) if File.exist?(gone_file(name))
        code = try_join(machine, name)
        next true if code.zero?
        next false if code == UNREACHABLE || File.exist?(gone_file(name))
        raise Failed, "#{name} did not become a node; what it said is above"
      end
    end

    # The exit code of `sampan join`; what it says is shown. The token goes by its standard input: what sudo is given
    # is in the machine's log.
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

    # Asks again and again for something true, until the master should have come; Ctrl-C ends it.
    def patiently(machine)
      began = Time.now
      stopped = told = false
      Vagrant::Util::Busy.busy(-> { stopped = true }) do
        loop do
          found = yield
          return found if found
          raise Failed, "#{machine.name} is not joined: interrupted" if stopped
          patience = made?(MASTER) ? BOOT_PATIENCE_S : MASTER_PATIENCE_S
          raise Failed, "there is no master that answers: `vagrant up #{MASTER}` first" if Time.now - began > patience
          machine.ui.info("waiting for the master") unless told
          told = true
          sleep 0.5
        end
      end
    end

    # How to join, from the file that the master left, while its token is good.
    def join_command(machine)
      patiently(machine) { locked { fresh_join_command } }
    end

    # Nil while the master does not say it.
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

    # What a command says on a machine.
    def ask(machine, command)
      said = +""
      machine.communicate.execute(command) { |kind, text| said << text if kind == :stdout }
      said
    end

    # Whole or not at all, and for nobody else to read.
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
      allowed.include?(value) or raise Failed, "#{name} is no number from #{allowed.min} to #{allowed.max}"
      value
    end
  end

  # An error that Vagrant shows as one, without a trace.
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
