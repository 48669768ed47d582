// The language server of `dlm lsp`, in the extension: started by extension.ts in a process of its own.
import { serve } from "../../../compiler/cli/lsp/server.ts";

serve();
